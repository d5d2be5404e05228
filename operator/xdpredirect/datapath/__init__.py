"""From resolved objects to the program and the map contents of one interface. Pure: values in,
values out; nothing here reads a file, a clock or the kernel."""

#!/bin/sh
# `xdpredirect` in an image. As process 1 it gets an init in front of it: that one ends at a signal
# before Python listens to any, and reaps what is left of commands that somebody ran in here.
if [ "$$" -eq 1 ]; then
	exec tini -- /opt/xdpredirect/bin/xdpredirect "$@"
fi
exec /opt/xdpredirect/bin/xdpredirect "$@"

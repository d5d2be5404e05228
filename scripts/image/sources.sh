#!/bin/sh
# Where apt takes Debian's packages from: one day of its archive, or a mirror. Run by the Dockerfile;
# DEBIAN_SNAPSHOT and DEBIAN_MIRROR are its arguments.
set -eu
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
if [ -n "$DEBIAN_SNAPSHOT" ]; then
	archive=http://snapshot.debian.org/archive/debian/$DEBIAN_SNAPSHOT
	security=http://snapshot.debian.org/archive/debian-security/$DEBIAN_SNAPSHOT
	# Lists of a past day are out of date on purpose.
	echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/90snapshot
else
	archive=$DEBIAN_MIRROR/debian
	security=$DEBIAN_MIRROR/debian-security
fi
cat >/etc/apt/sources.list.d/debian.sources <<END
Types: deb
URIs: $archive
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END

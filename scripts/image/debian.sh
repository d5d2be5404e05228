#!/bin/sh
# Brings the base to the day of the sources and installs packages. Run by the Dockerfile.
# Documentation and translations are never unpacked; copyright files are, licences ask for it.
set -eu
cat >/etc/dpkg/dpkg.cfg.d/90slim <<END
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
force-unsafe-io
END
echo 'APT::Keep-Downloaded-Packages "false";' >/etc/apt/apt.conf.d/90slim
apt-get update
apt-get upgrade -y --no-install-recommends
apt-get install -y --no-install-recommends "$@"

#!/bin/sh
# Makes the last layer of an image: $1 its name, $2 the directory that becomes part of its root.
# Run by the Dockerfile. Our package, as pip installs it, and the list of all that is inside.
set -eu
environment=/opt/xdpredirect
/tools/bin/pip --python "$environment/bin/python" install --no-cache-dir --no-compile --no-deps \
	--no-index --disable-pip-version-check /wheel/*.whl
cd "$environment"
PYTHONHASHSEED=0 bin/python -m compileall -q -f --invalidation-mode unchecked-hash \
	lib/python3*/site-packages/xdpredirect
mkdir -p "$2$environment"
cp -a --parents bin/xdpredirect lib/python3*/site-packages/xdp*redirect* "$2$environment"
# pip writes down from where it installed; that directory is in no image.
rm -f "$2$environment"/lib/python3*/site-packages/xdp*redirect*.dist-info/direct_url.json
if [ "$1" = operator ]; then
	# It compiles nothing.
	rm -r "$2$environment"/lib/python3*/site-packages/xdpredirect/_data/bpf
	sed -i '/^xdpredirect\/_data\/bpf\//d' "$2$environment"/lib/python3*/site-packages/xdp*redirect*.dist-info/RECORD
fi
mkdir -p "$2/usr/share/doc/xdp-redirect"
bin/python /build/sbom.py "$1" /build/status "$environment" \
	>"$2/usr/share/doc/xdp-redirect/sbom.spdx.json"

# The two images: `operator` (no compiler, no BPF, not root) and `agent` (bcc, three capabilities).
# docs/image.md says what is inside and how to check it. `make image` builds both; so does
#   docker buildx build --target agent .
# Nothing here names an architecture.

# Debian 13. Another base may be given, such as one made by debootstrap where no registry answers.
ARG BASE=docker.io/library/debian:trixie-20261005-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f

FROM ${BASE} AS debian
# The state of Debian's archive that packages come from; empty: the mirror as it is now.
ARG DEBIAN_SNAPSHOT=20261116T000000Z
ARG DEBIAN_MIRROR=http://deb.debian.org
ARG DEBIAN_FRONTEND=noninteractive
COPY scripts/image/sources.sh scripts/image/debian.sh /build/
RUN /build/sources.sh
RUN /build/debian.sh python3 tini

# pip and hatchling; in neither image.
FROM debian AS tools
RUN apt-get install -y --no-install-recommends python3-venv && python3 -m venv /tools
COPY scripts/image/locked.sh requirements-build.lock /build/
ARG PIP_INDEX_URL=
RUN --mount=type=secret,id=ca /build/locked.sh /tools /build/requirements-build.lock

FROM tools AS wheel
ARG SOURCE_DATE_EPOCH=0
WORKDIR /project
COPY pyproject.toml LICENSE ./
COPY bpf bpf
COPY crds crds
COPY operator operator
# The long description is for package indexes.
RUN touch README.md && /tools/bin/hatchling build -t wheel -d /wheel

FROM tools AS operator-environment
COPY requirements-operator.lock /build/requirements.lock
RUN --mount=type=secret,id=ca python3 -m venv --without-pip /opt/xdpredirect && \
    /build/locked.sh /opt/xdpredirect /build/requirements.lock

FROM tools AS agent-environment
COPY requirements.lock /build/
RUN --mount=type=secret,id=ca python3 -m venv --without-pip /opt/xdpredirect && \
    /build/locked.sh /opt/xdpredirect /build/requirements.lock

# Of Debian what stays: slim.py takes the package manager and much else away.
FROM debian AS operator-system
COPY --chmod=755 scripts/image/entrypoint.sh /usr/local/bin/xdpredirect
COPY scripts/image/slim.py /build/
RUN python3 /build/slim.py operator

FROM debian AS agent-system
RUN apt-get install -y --no-install-recommends python3-bpfcc
COPY --chmod=755 scripts/image/entrypoint.sh /usr/local/bin/xdpredirect
COPY scripts/image/slim.py /build/
RUN python3 /build/slim.py agent

# Our own files, without the environment that they are for: the only layer of a new version.
FROM operator-environment AS operator-package
COPY scripts/image/package.sh scripts/image/sbom.py /build/
COPY --from=wheel /wheel /wheel
COPY --from=operator-system /var/lib/dpkg/status /build/status
ARG SOURCE_DATE_EPOCH=0
RUN /build/package.sh operator /package

FROM agent-environment AS agent-package
COPY scripts/image/package.sh scripts/image/sbom.py /build/
COPY --from=wheel /wheel /wheel
COPY --from=agent-system /var/lib/dpkg/status /build/status
ARG SOURCE_DATE_EPOCH=0
RUN /build/package.sh agent /package

FROM scratch AS operator
COPY --from=operator-system / /
COPY --from=operator-environment /opt/xdpredirect /opt/xdpredirect
COPY --from=operator-package /package /
USER 65532:65532
ENV PATH=/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["xdpredirect"]
CMD ["operator"]
ARG BASE
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.source="https://github.com/xdp-redirect/xdp-redirect-operator" \
      org.opencontainers.image.title="xdp-redirect-operator" \
      org.opencontainers.image.description="Tells every node of a cluster which frames to redirect, and says how it does" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-only" \
      org.opencontainers.image.base.name="${BASE}"

FROM scratch AS agent
COPY --from=agent-system / /
COPY --from=agent-environment /opt/xdpredirect /opt/xdpredirect
COPY --from=agent-package /package /
# root without capabilities of its own: pins lie in a bpffs that belongs to root.
USER 0:0
ENV PATH=/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["xdpredirect"]
CMD ["agent"]
ARG BASE
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.source="https://github.com/xdp-redirect/xdp-redirect-operator" \
      org.opencontainers.image.title="xdp-redirect-agent" \
      org.opencontainers.image.description="Keeps the XDP programs and maps of one node as the cluster says" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-only" \
      org.opencontainers.image.base.name="${BASE}"

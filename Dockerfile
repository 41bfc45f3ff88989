# Arkki in a small image: built on Debian 12, run on Debian 12, by a user that owns nothing.
FROM rust:1.95-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libssl-dev libxml2-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# The caches stay with the builder, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin arkki \
 && cp target/release/arkki /usr/local/bin/arkki

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libssl3 libxml2 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin arkki
COPY --from=build /usr/local/bin/arkki /usr/local/bin/arkki
COPY config/arkki.toml /etc/arkki/arkki.toml
# The second: no huge pages, a fifth less memory and no slower (docs/performance.md).
ENV ARKKI_CONFIG=/etc/arkki/arkki.toml MIMALLOC_ALLOW_THP=0
USER 10001:10001
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/arkki"]
CMD ["serve"]

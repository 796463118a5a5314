# A static binary on an empty image.
FROM rust:1-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# the manifest names benches and tests, so they must be there
COPY src src
COPY benches benches
COPY tests tests
RUN cargo build --release --locked

FROM scratch
LABEL org.opencontainers.image.title="foxglove-bridge" \
      org.opencontainers.image.description="Brings robot data, recorded or live, to viewers that speak the Foxglove WebSocket protocol" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /build/target/release/foxglove-bridge /foxglove-bridge
# the number, not a name: the image has no user database
USER 65532:65532
# within a container, 127.0.0.1 is reached by nobody else
ENV FOXGLOVE_BRIDGE_HOST=0.0.0.0
EXPOSE 8765
ENTRYPOINT ["/foxglove-bridge"]

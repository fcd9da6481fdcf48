# Two images: the broker (the last stage, so it is the default) and, with `--target demos`, the demo programs in Python.
# docs/compose.md says what of this was run where no container engine is, and what was not.

# The broker's binary. The slim image of Rust has the C compiler that the zstd codec needs.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /cutaway
COPY . .
RUN cargo build --release --locked --package cutaway

# The demo programs. What they write, the producers' resume tokens, is in /state.
FROM python:3.13-slim-bookworm AS demos
COPY clients/python/requirements.txt /demos/
RUN python -m pip install --no-cache-dir --requirement /demos/requirements.txt
COPY clients/python/*.py /demos/
RUN useradd --create-home demo && install --directory --owner=demo /state
USER demo
WORKDIR /state
ENV PYTHONUNBUFFERED=1
CMD ["python", "/demos/wikipedia_consumer.py"]

# The broker. The binary needs nothing that Debian's slim image lacks.
FROM debian:bookworm-slim AS broker
COPY --from=build /cutaway/target/release/cutaway /usr/local/bin/
COPY broker/container-entrypoint /usr/local/bin/
RUN useradd --create-home cutaway && install --directory --owner=cutaway /var/lib/kafka/data
USER cutaway
VOLUME /var/lib/kafka/data
EXPOSE 9092
ENTRYPOINT ["container-entrypoint"]

# Replaces jaegertracing/jaeger (v2). Checked against its Dockerfile: path of the program, user 10001, ports,
# busybox's wget. Contains Jaeger 1.62, the newest version that is complete as a Go module: same ingestion, same
# query API, no web interface.
ARG BASE
FROM ${BASE}
COPY jaeger-all-in-one jaeger-linux /cmd/jaeger/
RUN ln -s /usr/bin/busybox /usr/local/bin/wget
ENV JAEGER_LISTEN_HOST=0.0.0.0
EXPOSE 4317 4318 16686
VOLUME /tmp
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]
USER 10001

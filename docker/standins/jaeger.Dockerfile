# Stands in for jaegertracing/jaeger (v2). Checked against its Dockerfile: where the program lies, user 10001, the
# ports, busybox's wget. Inside is Jaeger 1.62, the newest that Go's modules offer whole: same ingestion, same
# query API, without the user interface's pages.
ARG BASE
FROM ${BASE}
COPY jaeger-all-in-one jaeger-linux /cmd/jaeger/
RUN ln -s /usr/bin/busybox /usr/local/bin/wget
ENV JAEGER_LISTEN_HOST=0.0.0.0
EXPOSE 4317 4318 16686
VOLUME /tmp
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]
USER 10001

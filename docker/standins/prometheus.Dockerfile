# Replaces prom/prometheus. Checked against its Dockerfile: busybox's wget, paths of its files, user nobody.
ARG BASE
FROM ${BASE}
COPY prometheus promtool /bin/
RUN ln -s /usr/bin/busybox /usr/local/bin/wget \
 && mkdir -p /etc/prometheus /prometheus \
 && chown nobody:nogroup /etc/prometheus /prometheus
WORKDIR /prometheus
USER nobody
EXPOSE 9090
VOLUME /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]

# Replaces ghcr.io/shopify/toxiproxy. Checked against its Dockerfile: from scratch, two programs, no shell.
FROM scratch
ARG BASE
COPY toxiproxy toxiproxy-cli /
ENV LOG_LEVEL=info
EXPOSE 8474
ENTRYPOINT ["/toxiproxy"]
CMD ["-host=0.0.0.0"]

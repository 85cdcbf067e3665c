# The official image with the extension in it. Untried: there was no engine to build it with.
#
#	docker build --build-arg VERSION=17 --tag postgres-ekran:17 .
#	docker run --env POSTGRES_PASSWORD=... postgres-ekran:17
#	psql ... -c 'CREATE EXTENSION ekran_sessions; SELECT ekran_create_store()'
ARG VERSION=17

FROM postgres:${VERSION} AS build
ARG VERSION
RUN apt-get update && apt-get install --yes --no-install-recommends \
	gcc libc6-dev make "postgresql-server-dev-${VERSION}"
COPY . /ekran_sessions
RUN make -C /ekran_sessions clean all with_llvm=no && make -C /ekran_sessions with_llvm=no install DESTDIR=/installed

FROM postgres:${VERSION}
COPY --from=build /installed /

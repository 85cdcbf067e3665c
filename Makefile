MODULE_big = ekran_sessions
OBJS = \
	src/activities.o \
	src/arguments.o \
	src/chance.o \
	src/checking.o \
	src/clipping.o \
	src/counting.o \
	src/create_hub.o \
	src/create_store.o \
	src/day_counts.o \
	src/derived.o \
	src/derived_table.o \
	src/estimates.o \
	src/figures.o \
	src/folding.o \
	src/formatting.o \
	src/functions.o \
	src/gap_index.o \
	src/gaps.o \
	src/hosts.o \
	src/hours.o \
	src/hub.o \
	src/hub_functions.o \
	src/json.o \
	src/losing.o \
	src/maintain.o \
	src/measuring.o \
	src/module.o \
	src/moments.o \
	src/names.o \
	src/one_by_one.o \
	src/partitions.o \
	src/parts.o \
	src/productivity.o \
	src/reach.o \
	src/reading.o \
	src/rebuilding.o \
	src/references.o \
	src/replicating.o \
	src/retention.o \
	src/rights.o \
	src/row_changes.o \
	src/session_days.o \
	src/sessions.o \
	src/statements.o \
	src/status.o \
	src/steps.o \
	src/store.o \
	src/stretches.o \
	src/subtransaction.o \
	src/timeline.o \
	src/touched.o \
	src/transition.o \
	src/trigger_sets.o \
	src/triggers.o \
	src/trust.o \
	src/usage.o \
	src/window.o \
	src/wire.o

# Where this file is: a build may be outside of it.
SOURCE := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

# The control file says which version this is, and nothing else does.
EXTENSION = ekran_sessions
EKRAN_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" "$(SOURCE)/ekran_sessions.control")
DATA = $(notdir $(shell ls "$(SOURCE)"/ekran_sessions--*.sql))
PGFILEDESC = "ekran_sessions - sessions of monitored users in a time window"

# One file a topic; the name tells the rule tested.
REGRESS = $(basename $(notdir $(wildcard $(SOURCE)/sql/*.sql)))
REGRESS_OPTS = --load-extension=ekran_sessions

# What takes more than one connection lives in test/.
ISOLATION = $(basename $(notdir $(wildcard $(SOURCE)/test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test

# What takes a server of its own: PostgreSQL::Test::Cluster starts them, and won't
# as root. Who has none of its modules leaves them out, by an empty TAP_TESTS.
TAP_TESTS ?= 1
PROVE_TESTS = test/t/*.pl

# -isystem, so that -Wextra judges our code and not the server's headers.
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server) -DEKRAN_VERSION='"$(EKRAN_VERSION)"'
PG_CFLAGS = -Wall -Wextra

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) does not run or has no PGXS: install the server's headers (postgresql-server-dev-NN), or give PG_CONFIG)
endif
include $(PGXS)

# installcheck runs all three; this one needs no running server. PGXS has the
# commands, but no target.
.PHONY: prove_installcheck
prove_installcheck:
	$(prove_installcheck)

# PGXS makes no directories for objects in a build outside of the source tree.
ifdef VPATH
$(shell $(MKDIR_P) src)
endif

# Every object sees the shared headers, and PGXS tracks none by default. The
# server's just-in-time compiler gets its own form of them, the bitcode.
$(OBJS) $(OBJS:.o=.bc): src/ekran_sessions.h src/compat.h

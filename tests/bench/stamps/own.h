// scopes_100_own: what stamping costs calls that go through the server. See own.c.
#ifndef CHARLE_BENCH_OWN_H
#define CHARLE_BENCH_OWN_H

#include "support/pg_cluster.h"

void figure_scopes_100_own(struct ch_pg_cluster *cluster);
// The benchmark's own server: what `bench_stamps --serve …` is.
int own_serve(int argc, char **argv);

#endif

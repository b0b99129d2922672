// One function a figure; each prints its result.
#ifndef CHARLE_BENCH_FIGURES_H
#define CHARLE_BENCH_FIGURES_H

#include "bench/sync/rig.h"

// First copy of all tasks into a fresh replica, against bench_limit_copy. Target: 0.5 of the limit; memory under 64 MiB over idle.
void figure_first_copy(struct rig *rig);
// The process that copies: prints "seconds idle_rss_bytes peak_rss_bytes".
int copy_process(const char *file, const char *address, const char *token, const char *how); // how: "rows" or "seed"
// Runs it with a fresh replica, copy.db in the rig's folder.
struct copy_run {
    double seconds, idle, peak;
};
struct copy_run copy_once(struct rig *rig, const char *address, const char *how);

// The same with a round trip of 20 ms between the two, against without. Target: at most 1.2 times as long.
void figure_first_copy_20ms(struct rig *rig);

// First copy by a seed file that the server has. Target: 250,000 rows a second.
void figure_seed_copy(struct rig *rig);

// A replica of 1,000,000 rows of which 10 are wrong is verified. Target: 1 % of the bytes of its first copy.
void figure_repair_1m(struct rig *rig);

// First copy into an encrypted replica, and rows read one by one out of it with a cold cache, against the same in clear.
void figure_encrypted_copy(struct rig *rig);
// The process that copies with a key and reads: prints "copy_seconds read_seconds".
int encrypted_process(const char *file, const char *address, const char *token, const char *is_encrypted);

// From a statement sent by psql (or a call made over RPC) until a live replica shows the new value.
void figure_propagation_foreign(struct rig *rig);
void figure_propagation_service(struct rig *rig);
// The same as the latter, the reader at another server of the database than the writer. Target: 5 ms.
void figure_propagation_peer(struct rig *rig);

// 10,000 rows changed by one foreign transaction, pulled by a replica that was away; per row, against the limit of first_copy.
void figure_pull_10k(struct rig *rig);
// The same with a live replica, from the commit until the replica shows the rows. Target: 0.8 of the limit.
void figure_live_10k(struct rig *rig);

// 10,000 edits made offline, from the start of the sync until the last is confirmed.
void figure_push_10k(struct rig *rig);

// Edits of 1,000 rows wait, and a foreign change of the same rows comes: until the replica shows it under them. Target: 100 ms.
void figure_rebase_1k(struct rig *rig);
// The same with 10 rows while edits of 100,000 wait, against 10 waiting edits: the rest of the outbox must not count. Target: twice.
void figure_rebase_100k(struct rig *rig);

// A backlog of 100,000 (1,000,000) edits drains while another client makes calls: the p99 of its calls against the same without a backlog, and the
// memory of the client that drains. Targets: twice, and 64 MiB over idle. The long one takes a quarter of an hour: tools/soak backlog.
void figure_backlog_100k(struct rig *rig);
void figure_backlog_1m(struct rig *rig);

// Pulls that find nothing changed: transactions of PostgreSQL a pull.
void figure_idle_pull(struct rig *rig);

// From the commit of a foreign one-row change until all of 100 (1,000, 10,000) live streams of its scope have it. Targets: 10, 50 and 500 ms at the
// median, and no more reads of the changed table than for one.
void figure_fanout_100(struct rig *rig);
void figure_fanout_1000(struct rig *rig);
void figure_fanout_10000(struct rig *rig);

// Processor time of the server for a pull that finds nothing changed. Target: 20 us.
void figure_empty_pull(struct rig *rig);
void figure_hot_scope(struct rig *rig);     // hot.c
void figure_hot_scope_2ms(struct rig *rig); // hot.c

// 1,000 live clients that wait: resident memory of the server for each.
void figure_idle_clients(struct rig *rig);

#endif

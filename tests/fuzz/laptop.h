// A small replica as a program leaves it on the disk, for the targets that damage such files: made once a process, kept in memory, and put down
// anew for each input.
#ifndef CHARLE_TESTS_FUZZ_LAPTOP_H
#define CHARLE_TESTS_FUZZ_LAPTOP_H

#include "charle/charle.h"
#include "fuzz/mutate.h"
#include "unit/client/world.h"

enum laptop_part { LAPTOP_DATABASE, LAPTOP_LOG, LAPTOP_KEY, LAPTOP_STORE, LAPTOP_EXPORT, LAPTOP_PARTS };

struct laptop { // rows in three scopes, calls that wait, verdicts, a file that was not sent
    struct charle_buf parts[LAPTOP_PARTS];
    const struct charle_client_key *key; // NULL: in clear
};

// The laptop of this kind. `has_log`: it was killed, so what it did last lies in the log; otherwise it was closed. Lives as long as the process.
const struct laptop *laptop_get(bool is_encrypted, bool has_log);
// Its server, which knows it.
struct fake_server *laptop_server(bool is_encrypted, bool has_log);

// Writes the replica's parts at file, and removes everything that lay beside it.
void laptop_put(const struct laptop *laptop, const char *file);
void laptop_put_bytes(const char *path, const char *suffix, const struct charle_buf *bytes);
void laptop_remove(const char *file);

// Damages bytes as the input says: overwritten, cut off, moved, doubled.
void laptop_damage(struct fuzz_input *in, struct charle_buf *bytes);

// The same for what is in a database in clear: one to four values become others, of any type.
void laptop_change_values(struct fuzz_input *in, const char *file);

// Opens the replica as an application does, without a network, and uses all there is: whatever comes of it, it comes back, and a failure
// has a sentence. `other` is a path to export to and to rescue into.
void laptop_use(const char *file, const struct charle_client_key *key, struct fuzz_input *in, const char *other);

#endif

// A folder of a test's own that is gone afterwards, whatever becomes of the test.
#ifndef CHARLE_TESTS_SCRATCH_H
#define CHARLE_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

// Makes /tmp/charle-<name>-XXXXXX and a small process that deletes it when this one (and what it forked) has ended: by returning, by a
// failed assertion, by a sanitizer or by SIGKILL. Deleting it earlier is fine. Any thread. False: it cannot be made.
bool ch_scratch_folder(const char *name, char *out, size_t size);

#endif

// The bytes of a walk (tests/model/walk.h): the fuzzer looks for what a person, the network, the disk and the server have to do, in which order,
// so that a replica is wrong in the end.
#include "fuzz/fuzz.h"
#include "model/walk.h"

enum { BYTES_MAX = 4000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct walk_totals totals = {0};
    walk_run(data, size < BYTES_MAX ? size : BYTES_MAX, &totals);
    return 0;
}

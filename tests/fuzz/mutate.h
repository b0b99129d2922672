// What the targets that lie about messages share: the input as a row of small choices, and messages with some of their fields changed.
#ifndef CHARLE_TESTS_FUZZ_MUTATE_H
#define CHARLE_TESTS_FUZZ_MUTATE_H

#include "base/buf.h"
#include "msg/msg.h"

struct fuzz_input {
    const uint8_t *next, *end;
};

// The next choice, from 0 to below - 1; 0 when the input is at its end.
unsigned fuzz_choose(struct fuzz_input *in, unsigned below);
// As many of the next bytes as there are, `max` at most.
struct charle_bytes fuzz_take(struct fuzz_input *in, size_t max);

// Changes one to four fields of a message's bytes, at any depth: other numbers, other lengths, missing, doubled, or of another kind. What comes
// out is protobuf mostly, a message of this type often, and a sensible one sometimes.
void fuzz_change(struct fuzz_input *in, const struct charle_message *type, struct charle_buf *message);

#endif

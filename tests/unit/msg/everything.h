// The messages of everything.proto by hand, and random instances of any message.
#ifndef CHARLE_TESTS_EVERYTHING_H
#define CHARLE_TESTS_EVERYTHING_H

#include "base/arena.h"
#include "base/buf.h"
#include "msg/msg.h"

struct leaf {
    struct charle_str name;
    struct charle_opt_int8 weight;
    int32_t rank;
};

struct node {
    const struct node *child;
    struct charle_array children;
    struct charle_opt_uint4 value;
    struct charle_array values;
};

struct everything {
    int32_t need_int4;
    struct charle_str need_text;
    const struct leaf *need_leaf;
    struct charle_opt_bool a_bool;
    struct charle_opt_int4 an_int4, a_sint4;
    struct charle_opt_uint4 a_fixed4;
    struct charle_opt_int8 an_int8, a_sint8;
    struct charle_opt_ts a_ts;
    struct charle_opt_date a_date;
    struct charle_opt_float8 a_float8;
    struct charle_opt_float4 a_float4;
    struct charle_opt_uint4 a_uint4;
    struct charle_opt_uint8 a_uint8;
    struct charle_opt_enum an_enum;
    struct charle_opt_text a_text;
    struct charle_opt_bytes a_blob;
    struct charle_opt_numeric a_numeric;
    struct charle_opt_uuid a_uuid, a_raw_uuid;
    struct charle_opt_json a_json;
    const struct leaf *a_leaf;
    struct charle_opt_uint8 a_fixed8;
    struct charle_opt_int4 an_sfixed4;
    struct charle_array ints, loose_ints, times, reals, colors, texts, blobs, leaves, bools, uuids;
    struct charle_opt_text short_text;
    const struct node *node;
};

struct batch {
    struct charle_array item;
};

extern const struct charle_enum color_enum;
extern const struct charle_message leaf_message, node_message, everything_message, batch_message;

enum { SHORT_TEXT_SIZE_MAX = 8 };

// A small random number generator; the same seed gives the same messages.
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound);

// Fills *out (zeroed) with random values, all valid; memory is from the arena.
void random_message(struct rng *rng, const struct charle_message *type, struct charle_arena *arena, void *out,
                    int depth);

// The message in protobuf's text format, as protoc --encode reads it.
void write_text_format(const struct charle_message *type, const void *message, struct charle_buf *buf);

#endif

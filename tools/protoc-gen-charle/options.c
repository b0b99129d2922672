// Options from unknown fields. See options.h.
//
// protobuf-c knows no extensions: what it meets in FieldOptions under number 50100 is an unknown field. The payload of
// a length-delimited one still carries its length prefix. protoc sends a separate field for each statement of an option
// that is written in pieces; by protobuf's rules the concatenation of their payloads is the merged message.
#include "options.h"

static void *run_alloc(void *run, size_t size)
{
    return ch_run_alloc(run, size, 1);
}

static void run_free(void *run, void *ptr)
{
    (void)run; // the arena goes as a whole
    (void)ptr;
}

static void add_payload(struct charle_buf *payload, const ProtobufCMessageUnknownField *field)
{
    size_t at = 0;

    while (at < field->len && field->data[at] & 0x80)
        at++;
    if (at < field->len)
        charle_buf_add(payload, field->data + at + 1, field->len - at - 1);
}

const void *ch_option_read(struct ch_gen *gen, const ProtobufCMessage *options, const ProtobufCMessageDescriptor *kind,
                           struct ch_place place)
{
    ProtobufCAllocator allocator = {.alloc = run_alloc, .free = run_free, .allocator_data = gen->run};
    struct charle_buf payload = {0};
    const void *out = NULL;
    bool is_there = false;

    for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];

        if (field->tag != CH_OPTION_NUMBER || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        add_payload(&payload, field);
        is_there = true;
    }
    if (is_there) {
        out = protobuf_c_message_unpack(kind, &allocator, payload.size, payload.data);
        if (!out)
            ch_error(gen, place, "the option %s lacks a part that it must have; see it in charle/options.proto",
                     kind->name);
    }
    charle_buf_deinit(&payload);
    return out;
}

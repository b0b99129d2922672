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

static bool knows_enum(const ProtobufCFieldDescriptor *field, const int *value)
{
    return protobuf_c_enum_descriptor_get_value(field->descriptor, *value) != NULL;
}

static bool knows_values(const ProtobufCMessage *message);

static bool knows_item(const ProtobufCFieldDescriptor *field, const void *item)
{
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return knows_enum(field, item);
    return field->type != PROTOBUF_C_TYPE_MESSAGE || !*(ProtobufCMessage *const *)item ||
           knows_values(*(ProtobufCMessage *const *)item);
}

// Enum values are indexes of tables here. Another version of options.proto may have more of them.
static bool knows_values(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const char *member = (const char *)message + field->offset;
        bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        size_t count = is_repeated ? *(const size_t *)(const void *)((const char *)message + field->quantifier_offset) : 1;
        size_t size = field->type == PROTOBUF_C_TYPE_ENUM ? sizeof(int) : sizeof(void *);

        if (field->type != PROTOBUF_C_TYPE_ENUM && field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (is_repeated)
            member = *(const char *const *)(const void *)member;
        for (size_t j = 0; j < count; j++)
            if (!knows_item(field, member + j * size))
                return false;
    }
    return true;
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
        else if (!knows_values(out)) {
            ch_error(gen, place,
                     "the option %s has a value that this protoc-gen-charle does not know; use the charle/options.proto that came with it",
                     kind->name);
            out = NULL;
        }
    }
    charle_buf_deinit(&payload);
    return out;
}

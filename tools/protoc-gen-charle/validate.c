#include "validate.h"

enum { DEPTH_MAX = 64, FILES_MAX = 4000, ITEMS_MAX = 100000 }; // protoc gives up on less

// A name is a word of letters, digits, dots and underscores; protoc's parser makes no others.
static bool is_name(const char *name)
{
    if (!name || !*name)
        return false;
    for (const char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", *c))
            return false;
    return true;
}

static bool is_whole_enum(const ch_pb_enum *pb)
{
    bool is_whole = is_name(pb->name) && pb->n_value < ITEMS_MAX;

    for (size_t i = 0; is_whole && i < pb->n_value; i++)
        is_whole = is_name(pb->value[i]->name) && pb->value[i]->has_number;
    return is_whole;
}

static bool is_whole_field(const ch_pb_field *pb)
{
    const bool is_named_type = pb->type == 10 || pb->type == 11 || pb->type == 14; // group, message, enum

    return is_name(pb->name) && pb->has_number && pb->number > 0 && pb->has_label && pb->label >= 1 && pb->label <= 3 && pb->has_type &&
           pb->type >= 1 && pb->type <= 18 && (!is_named_type || is_name(pb->type_name));
}

static bool is_whole_message(const ch_pb_message *pb, int depth)
{
    bool is_whole = is_name(pb->name) && depth < DEPTH_MAX && pb->n_field < ITEMS_MAX;

    for (size_t i = 0; is_whole && i < pb->n_field; i++) {
        is_whole = is_whole_field(pb->field[i]);
        for (size_t j = 0; is_whole && j < i && pb->n_field < 1000; j++)
            is_whole = pb->field[i]->number != pb->field[j]->number && strcmp(pb->field[i]->name, pb->field[j]->name) != 0;
    }
    for (size_t i = 0; is_whole && i < pb->n_nested_type; i++)
        is_whole = is_whole_message(pb->nested_type[i], depth + 1);
    for (size_t i = 0; is_whole && i < pb->n_enum_type; i++)
        is_whole = is_whole_enum(pb->enum_type[i]);
    return is_whole;
}

static bool is_whole_service(const Google__Protobuf__ServiceDescriptorProto *pb)
{
    bool is_whole = is_name(pb->name);

    for (size_t i = 0; is_whole && i < pb->n_method; i++)
        is_whole = is_name(pb->method[i]->name) && is_name(pb->method[i]->input_type) && is_name(pb->method[i]->output_type);
    return is_whole;
}

static bool is_whole_file(const ch_pb_file *pb)
{
    bool is_whole = pb->name && *pb->name && (!pb->package || !*pb->package || is_name(pb->package));

    for (size_t i = 0; is_whole && i < pb->n_message_type; i++)
        is_whole = is_whole_message(pb->message_type[i], 0);
    for (size_t i = 0; is_whole && i < pb->n_enum_type; i++)
        is_whole = is_whole_enum(pb->enum_type[i]);
    for (size_t i = 0; is_whole && i < pb->n_service; i++)
        is_whole = is_whole_service(pb->service[i]);
    return is_whole;
}

bool ch_request_is_whole(const ChPlugin__Request *request)
{
    bool is_whole = request->n_proto_file < FILES_MAX;

    for (size_t i = 0; is_whole && i < request->n_proto_file; i++)
        is_whole = is_whole_file(request->proto_file[i]);
    return is_whole;
}

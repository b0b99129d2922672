// The walk through an option's braces. See locate.h.
#include "locate.h"

#include "charle/options.pb-c.h"

#include "gen.h"

#include <ctype.h>

struct ch_cursor {
    const char *at;
    int line, column;
};

static void step(struct ch_cursor *c)
{
    if (!*c->at)
        return;
    if (*c->at == '\n') {
        c->line++;
        c->column = 0;
    }
    if ((*c->at & 0xc0) != 0x80) // a character of several bytes is one column
        c->column++;
    c->at++;
}

static void skip_space(struct ch_cursor *c)
{
    for (;;) {
        while (isspace((unsigned char)*c->at) || *c->at == ',' || *c->at == ';')
            step(c);
        if (c->at[0] == '/' && c->at[1] == '/') {
            while (*c->at && *c->at != '\n')
                step(c);
        } else if (c->at[0] == '/' && c->at[1] == '*') {
            while (*c->at && !(c->at[0] == '*' && c->at[1] == '/'))
                step(c);
            step(c);
            step(c);
        } else {
            return;
        }
    }
}

static void skip_string(struct ch_cursor *c)
{
    char quote = *c->at;

    step(c);
    while (*c->at && *c->at != quote) {
        if (*c->at == '\\')
            step(c);
        step(c);
    }
    step(c);
}

// Skips one value: strings side by side, a word or a number, or everything up to the closing brace.
static void skip_value(struct ch_cursor *c)
{
    int depth = 0;

    if (*c->at == '"' || *c->at == '\'') {
        while (*c->at == '"' || *c->at == '\'') {
            skip_string(c);
            skip_space(c);
        }
        return;
    }
    do {
        if (*c->at == '"' || *c->at == '\'') {
            skip_string(c);
            continue;
        }
        depth += *c->at == '{' || *c->at == '[';
        depth -= *c->at == '}' || *c->at == ']';
        if (!depth && !isalnum((unsigned char)c->at[1]) && c->at[1] != '_' && c->at[1] != '.') {
            step(c);
            return;
        }
        step(c);
        if (depth)
            skip_space(c);
    } while (*c->at);
}

// Moves to the value of the part `name` that is number `index` among those of that name, within the braces that the
// cursor stands behind; *part is where its name stands. A list counts as that many parts.
static bool find_part(struct ch_cursor *c, const char *name, int index, struct ch_cursor *part)
{
    for (skip_space(c); *c->at && *c->at != '}'; skip_space(c)) {
        struct ch_cursor start = *c;
        bool is_named, is_list;

        while (isalnum((unsigned char)*c->at) || *c->at == '_')
            step(c);
        is_named = (size_t)(c->at - start.at) == strlen(name) && strncmp(start.at, name, strlen(name)) == 0;
        if (c->at == start.at)
            return false; // not what we took it for
        skip_space(c);
        if (*c->at == ':')
            step(c);
        skip_space(c);
        is_list = *c->at == '[' && is_named;
        if (is_list) {
            step(c);
            skip_space(c);
        }
        do {
            if (is_named && index-- == 0) {
                *part = is_list ? *c : start;
                return true;
            }
            skip_value(c);
            skip_space(c);
        } while (is_list && *c->at && *c->at != ']');
        if (is_list)
            step(c);
    }
    return false;
}

// Which of our messages the option at this place is.
static const ProtobufCMessageDescriptor *option_type(const struct ch_place *place, size_t *used)
{
    enum { FILE_, MESSAGE, FIELD, ENUM, VALUE, SERVICE, METHOD } at = FILE_;

    for (size_t i = 0; i + 1 < place->depth; i += 2) {
        int number = place->path[i];

        if (place->path[i + 1] == CH_OPTION_NUMBER) {
            static const ProtobufCMessageDescriptor *const types[] = {
                &charle__schema__descriptor,       &charle__table__descriptor,      &charle__column__descriptor,
                &charle__enum_options__descriptor, &charle__enum_value__descriptor, NULL,
                &charle__method__descriptor};
            *used = i + 2;
            return types[at];
        }
        if (at == FILE_)
            at = number == CH_AT_FILE_MESSAGE ? MESSAGE : number == CH_AT_FILE_ENUM ? ENUM : SERVICE;
        else if (at == MESSAGE)
            at = number == CH_AT_MESSAGE_FIELD ? FIELD : number == CH_AT_MESSAGE_ENUM ? ENUM : MESSAGE;
        else
            at = at == ENUM ? VALUE : METHOD;
    }
    return NULL;
}

static struct ch_cursor cursor_at(const char *text, int line, int column)
{
    struct ch_cursor c = {text, 1, 1};

    while (*c.at && (c.line < line || (c.line == line && c.column < column)))
        step(&c);
    return c;
}

static bool enter_braces(struct ch_cursor *c)
{
    while (*c->at && *c->at != '=' && *c->at != ']')
        step(c);
    if (*c->at != '=')
        return false;
    step(c);
    skip_space(c);
    if (*c->at != '{')
        return false;
    step(c);
    return true;
}

void ch_locate(const char *text, const struct ch_place *place, size_t depth, int *line, int *column)
{
    size_t at = 0;
    const ProtobufCMessageDescriptor *type = option_type(place, &at);
    struct ch_cursor c, part;
    bool is_inside = false;

    if (!text || !type || at > place->depth || depth < at)
        return;
    c = cursor_at(text, *line, *column);
    while (at < place->depth && type) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)place->path[at++]);
        bool is_repeated = field && field->label == PROTOBUF_C_LABEL_REPEATED;
        int index = is_repeated && at < place->depth ? place->path[at++] : 0;

        if (!field)
            return;
        type = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
        if (at <= depth)
            continue; // protoc's place is this far in already
        if (is_inside ? *c.at++ != '{' : !enter_braces(&c))
            return;
        if (is_inside)
            c.column++;
        is_inside = true;
        if (!find_part(&c, field->name, index, &part))
            return;
        *line = part.line;
        *column = part.column;
    }
}

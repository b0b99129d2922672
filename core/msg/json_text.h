// A scanner over JSON text (RFC 8259): checks, skips and takes apart without building a tree. Internal to this folder,
// except ch_json_is_valid.
//
// Every function moves `next` past what it read, or returns false and leaves in `next` where it went wrong. Nesting is
// bounded by CH_JSON_DEPTH_MAX. U+0000 and lone surrogates are refused, because PostgreSQL refuses them too.
#ifndef CHARLE_MSG_JSON_TEXT_H
#define CHARLE_MSG_JSON_TEXT_H

#include "base/arena.h"

struct ch_json_scanner {
    const char *start;
    const char *next;
    const char *end;
};

static inline struct ch_json_scanner ch_json_scanner(struct charle_str text)
{
    return (struct ch_json_scanner){text.ptr, text.ptr, text.ptr + text.len};
}

// The first character of what comes next behind white space, '\0' at the end of the text.
char ch_json_peek(struct ch_json_scanner *scanner);
// Takes this punctuation character if it comes next.
bool ch_json_take(struct ch_json_scanner *scanner, char c);
// Takes this word (null, true, false) if it comes next.
bool ch_json_take_word(struct ch_json_scanner *scanner, struct charle_str word);

// Skips one value of any kind. out_raw, which may be NULL, takes its text.
bool ch_json_skip(struct ch_json_scanner *scanner, struct charle_str *out_raw);
// A number as it is written.
bool ch_json_number(struct ch_json_scanner *scanner, struct charle_str *out_raw);
// A string without its quotes and escapes; points into the text when it has no escapes, otherwise into the arena.
bool ch_json_string(struct ch_json_scanner *scanner, struct charle_arena *arena, struct charle_str *out);

// One value and nothing behind it, in valid UTF-8.
bool ch_json_is_valid(struct charle_str text);

#endif

// Diagnostics: what is wrong in a schema, where, and what to write instead.
//
// All errors of a run are collected, sorted by file, line and column, and printed at its end; none stops the run, so a
// reader sees everything that is wrong at once. A place is a path in the sense of google.protobuf.SourceCodeInfo; the
// line and column are looked up when the error is reported: those of the path, or of the nearest thing around it that
// protoc kept.
#ifndef CHARLE_GEN_DIAG_H
#define CHARLE_GEN_DIAG_H

#include "base/arena.h"

#define CH_PLACE_DEPTH_MAX 12 // nested messages, an option and its parts; deeper places are cut at their outer part

struct ch_place {
    const void *file; // Google__Protobuf__FileDescriptorProto; NULL: nowhere in particular
    int32_t path[CH_PLACE_DEPTH_MAX];
    uint8_t depth;
};

// The place one or two steps further in.
struct ch_place ch_place_in(struct ch_place place, int32_t step);
struct ch_place ch_place_at(struct ch_place place, int32_t step, size_t index);

struct ch_diag_entry {
    const char *file;
    int line, column; // from 1; 0: unknown
    const char *text;
};

struct ch_diag_text { // a .proto as it is on the disk
    const char *name;
    const char *text; // NULL: it cannot be read
};

struct ch_diag {
    struct charle_arena *arena;
    const char *root; // folder that the files' names are relative to; NULL: the working directory
    struct ch_diag_text *texts;
    size_t text_count;
    struct ch_diag_entry *entries;
    size_t count;
};

// Remembers an error: `format` says what is wrong; what to write instead. The same error at the same place counts once.
void ch_diag_error(struct ch_diag *diag, struct ch_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Appends all errors to `out`, one a line, as file:line:column: text.
struct charle_buf;
void ch_diag_print(struct ch_diag *diag, struct charle_buf *out);

#endif

// Texts and lists in the arena of the run, and the rules by which names become other names.
//
// A run of the generator has one owner, main, and one lifetime: when memory ends, there is nothing to save. So these
// functions print one sentence and end the program instead of returning a failure that every caller would have to pass
// on.
#ifndef CHARLE_GEN_TEXT_H
#define CHARLE_GEN_TEXT_H

#include "base/arena.h"
#include "base/buf.h"

void *ch_run_alloc(struct charle_arena *run, size_t count, size_t item_size); // zeroed
#define CH_NEW(run, type)              ((type *)ch_run_alloc((run), 1, sizeof(type)))
#define CH_NEW_ARRAY(run, count, type) ((type *)ch_run_alloc((run), (count), sizeof(type)))

const char *ch_text(struct charle_arena *run, const char *format, ...) CHARLE_PRINTF(2, 3);
const char *ch_text_n(struct charle_arena *run, const char *ptr, size_t len);
// The buffer's content as a text of the run; the buffer is freed. A failure of the buffer ends the program.
const char *ch_text_take(struct charle_arena *run, struct charle_buf *buf);

// Puts one more item at the end of an array that lies in the run and grows by doubling. The array and its count are
// ordinary struct members; nothing else is kept.
void *ch_array_grow(struct charle_arena *run, void *items, size_t count, size_t item_size);
#define CH_APPEND(run, items, count, item) \
    ((items) = ch_array_grow((run), (items), (count), sizeof *(items)), (items)[(count)++] = (item))

const char *ch_name_snake(struct charle_arena *run, const char *camel); // TaskStatus -> task_status
const char *ch_name_upper(struct charle_arena *run, const char *text);
const char *ch_name_lower(struct charle_arena *run, const char *text);
const char *ch_name_c(struct charle_arena *run,
                      const char *package_or_type);                      // charleos.Task.Part -> charleos_task_part
const char *ch_name_member(struct charle_arena *run, const char *field); // default -> default_
const char *ch_name_global(struct charle_arena *run, const char *table); // of its column handles: time -> time_
bool ch_name_is_plain(const char *name);                                 // [a-z_][a-z0-9_]*

// Appends `text` as a C string literal with its quotes; a literal with line breaks goes on one line of source for each,
// indented by `indent` spaces.
void ch_c_string(struct charle_buf *out, const char *text, int indent);

#endif

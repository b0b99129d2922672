// Diagnostics with places. See diag.h.
#include "diag.h"

#include "base/buf.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "locate.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct ch_place ch_place_in(struct ch_place place, int32_t step)
{
    if (place.depth < CH_PLACE_DEPTH_MAX)
        place.path[place.depth++] = step;
    return place;
}

struct ch_place ch_place_at(struct ch_place place, int32_t step, size_t index)
{
    return ch_place_in(ch_place_in(place, step), (int32_t)index);
}

// How many steps of the place a location shares, or -1 when it is not on the way to it.
static int shared_depth(const struct ch_place *place, const Google__Protobuf__SourceCodeInfo__Location *location)
{
    if (location->n_path > place->depth || location->n_span < 3)
        return -1;
    for (size_t i = 0; i < location->n_path; i++)
        if (location->path[i] != place->path[i])
            return -1;
    return (int)location->n_path;
}

static const char *read_text(struct ch_diag *diag, const char *name)
{
    const char *path = diag->root ? ch_text(diag->arena, "%s/%s", diag->root, name) : name;
    struct charle_buf text = {0};
    FILE *file = fopen(path, "r");
    int c;

    if (!file)
        return NULL;
    while ((c = fgetc(file)) != EOF)
        charle_buf_add_byte(&text, (uint8_t)c);
    fclose(file);
    return ch_text_take(diag->arena, &text);
}

// The file's text, read once. Only places within options need it; without it they are those of the whole option.
static const char *file_text(struct ch_diag *diag, const char *name)
{
    struct ch_diag_text text = {.name = name};

    for (size_t i = 0; i < diag->text_count; i++)
        if (strcmp(diag->texts[i].name, name) == 0)
            return diag->texts[i].text;
    text.text = read_text(diag, name);
    CH_APPEND(diag->arena, diag->texts, diag->text_count, text);
    return text.text;
}

static void find_position(struct ch_diag *diag, const struct ch_place *place, int *line, int *column)
{
    const Google__Protobuf__FileDescriptorProto *file = place->file;
    int best = 0; // the location with the empty path is the whole file: no help to anyone

    if (!file->source_code_info)
        return;
    for (size_t i = 0; i < file->source_code_info->n_location; i++) {
        const Google__Protobuf__SourceCodeInfo__Location *location = file->source_code_info->location[i];
        int depth = shared_depth(place, location);

        if (depth > best) {
            best = depth;
            *line = location->span[0] + 1;
            *column = location->span[1] + 1;
        }
    }
    if (best && (size_t)best < place->depth)
        ch_locate(file_text(diag, file->name), place, (size_t)best, line, column);
}

static bool is_known(const struct ch_diag *diag, const struct ch_diag_entry *entry)
{
    for (size_t i = 0; i < diag->count; i++)
        if (diag->entries[i].line == entry->line && diag->entries[i].column == entry->column &&
            strcmp(diag->entries[i].file, entry->file) == 0 && strcmp(diag->entries[i].text, entry->text) == 0)
            return true;
    return false;
}

void ch_diag_error(struct ch_diag *diag, struct ch_place place, const char *format, ...)
{
    struct ch_diag_entry entry = {.file = "schema"};
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (place.file) {
        entry.file = ((const Google__Protobuf__FileDescriptorProto *)place.file)->name;
        find_position(diag, &place, &entry.line, &entry.column);
    }
    entry.text = ch_text(diag->arena, "%s", text);
    if (!is_known(diag, &entry))
        CH_APPEND(diag->arena, diag->entries, diag->count, entry);
}

static int compare_entries(const void *left, const void *right)
{
    const struct ch_diag_entry *a = left, *b = right;
    int order = strcmp(a->file, b->file);

    if (order)
        return order;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return strcmp(a->text, b->text);
}

void ch_diag_print(struct ch_diag *diag, struct charle_buf *out)
{
    if (diag->count)
        qsort(diag->entries, diag->count, sizeof *diag->entries, compare_entries);
    for (size_t i = 0; i < diag->count; i++) {
        const struct ch_diag_entry *entry = &diag->entries[i];

        if (entry->line)
            charle_buf_printf(out, "%s:%d:%d: %s\n", entry->file, entry->line, entry->column, entry->text);
        else
            charle_buf_printf(out, "%s: %s\n", entry->file, entry->text);
    }
}

// The schema hash: FNV-1a over one canonical text of everything a replica and a server must agree on.
//
// In: tables that replicate with all their columns (number, name, type, null, array, merge), keys, audiences and what
// they show, and every method's name with the shape of its messages, since queued calls are replayed. Out: comments,
// indexes, checks, server-only tables, grants: they may change on the server alone.
#include "gen.h"

#include <stdlib.h>

static void hash_field(struct charle_buf *text, const struct ch_model_field *field)
{
    charle_buf_printf(text, " field %u %s %d %d %d %d", field->number, field->name, (int)field->type, (int)field->wire,
                      (int)field->label, field->is_packed);
    if (field->message)
        charle_buf_printf(text, " %s", field->message->full_name);
    for (size_t i = 0; field->enumeration && i < field->enumeration->value_count; i++)
        charle_buf_printf(text, " %d=%s", field->enumeration->values[i].number, field->enumeration->values[i].sql_name);
    charle_buf_add_byte(text, '\n');
}

static void hash_column(struct charle_buf *text, const struct ch_model_column *column)
{
    hash_field(text, column->field);
    charle_buf_printf(text, "  column %d %d %d %d %d %d", column->is_nullable, column->is_array, column->is_server_only,
                      (int)column->generate, (int)column->merge, column->merge_group);
    for (size_t i = 0; i < column->transition_count; i++)
        charle_buf_printf(text, " %d>%d", column->transitions[i].from->number, column->transitions[i].to->number);
    if (column->is_attachment)
        charle_buf_add_text(text, " attachment");
    charle_buf_add_byte(text, '\n');
}

static void hash_audience(struct charle_buf *text, const struct ch_model_audience *audience)
{
    charle_buf_printf(text, " audience %s %d %s %s %s %s %llx %llx\n", audience->name, (int)audience->kind,
                      audience->key ? audience->key->name : "", audience->where_pg ? audience->where_pg : "",
                      audience->path_from ? audience->path_from : "", audience->path_key ? audience->path_key : "",
                      (unsigned long long)audience->columns.bits[0], (unsigned long long)audience->columns.bits[1]);
}

static void hash_table(struct charle_buf *text, const struct ch_model_table *table)
{
    charle_buf_printf(text, "table %u %s %d key", table->id, table->name, table->is_offline);
    for (size_t i = 0; i < table->key_count; i++)
        charle_buf_printf(text, " %u", table->key_columns[i]->number);
    charle_buf_add_byte(text, '\n');
    for (size_t i = 0; i < table->column_count; i++)
        hash_column(text, &table->columns[i]);
    for (size_t i = 0; i < table->audience_count; i++)
        hash_audience(text, &table->audiences[i]);
}

static void hash_message(struct charle_buf *text, const struct ch_model_message *message)
{
    charle_buf_printf(text, " message %s\n", message->full_name);
    for (size_t i = 0; i < message->field_count; i++)
        hash_field(text, &message->fields[i]);
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i].message)
            hash_message(text, message->fields[i].message); // never recursive: checked when the messages were read
}

static int compare_methods(const void *left, const void *right)
{
    return strcmp((*(const struct ch_model_method *const *)left)->full_name,
                  (*(const struct ch_model_method *const *)right)->full_name);
}

// By name, so that neither the order of files nor that of services counts.
static void hash_methods(struct charle_buf *text, const struct ch_model *model, struct charle_arena *run)
{
    const struct ch_model_method **methods = NULL;
    size_t count = 0;

    for (size_t i = 0; i < model->service_count; i++)
        for (size_t j = 0; j < model->services[i]->method_count; j++)
            if (!model->services[i]->table || model->services[i]->table->is_replicated)
                CH_APPEND(run, methods, count, &model->services[i]->methods[j]);
    if (count)
        qsort(methods, count, sizeof *methods, compare_methods);
    for (size_t i = 0; i < count; i++) {
        charle_buf_printf(text, "method %s %d %d %d\n", methods[i]->full_name, (int)methods[i]->streaming,
                          methods[i]->is_offline, methods[i]->is_read_only);
        hash_message(text, methods[i]->request);
        hash_message(text, methods[i]->reply);
    }
}

uint64_t ch_model_hash(const struct ch_model *model, struct charle_arena *run)
{
    struct charle_buf text = {0};
    uint64_t hash = 0xcbf29ce484222325u;

    charle_buf_printf(&text, "charle %d schema %s\n", CHARLE_GEN_VERSION, model->schema_name);
    for (size_t i = 0; i < model->table_count; i++)
        if (model->tables[i]->is_replicated)
            hash_table(&text, model->tables[i]);
    hash_methods(&text, model, run);
    CHARLE_ASSERT(!text.failed);
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ text.data[i]) * 0x100000001b3u;
    charle_buf_deinit(&text);
    return hash;
}

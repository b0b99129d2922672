// Lookups in the model. A schema has some hundred names, so a walk is fast enough and needs no index to keep true.
#include "gen.h"

struct ch_model_message *ch_model_find_message(const struct ch_model *model, const char *full_name)
{
    for (size_t i = 0; i < model->message_count; i++)
        if (strcmp(model->messages[i]->full_name, full_name) == 0)
            return model->messages[i];
    return NULL;
}

struct ch_model_enum *ch_model_find_enum(const struct ch_model *model, const char *full_name)
{
    for (size_t i = 0; i < model->enum_count; i++)
        if (strcmp(model->enums[i]->full_name, full_name) == 0)
            return model->enums[i];
    return NULL;
}

struct ch_model_table *ch_model_find_table(const struct ch_model *model, const char *name)
{
    for (size_t i = 0; i < model->table_count; i++)
        if (strcmp(model->tables[i]->name, name) == 0)
            return model->tables[i];
    return NULL;
}

struct ch_model_column *ch_model_find_column(const struct ch_model_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

const struct ch_model_enum_value *ch_model_find_value(const struct ch_model_enum *enumeration, const char *sql_name)
{
    for (size_t i = 0; i < enumeration->value_count; i++)
        if (strcmp(enumeration->values[i].sql_name, sql_name) == 0)
            return &enumeration->values[i];
    return NULL;
}

#include "db/schema.h"

const struct charle_table *charle_schema_table(const struct charle_schema *schema, uint32_t id)
{
    size_t low = 0, high = schema->table_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (schema->tables[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < schema->table_count && schema->tables[low]->id == id ? schema->tables[low] : NULL;
}

const struct charle_table *charle_schema_table_named(const struct charle_schema *schema, struct charle_str name)
{
    for (size_t i = 0; i < schema->table_count; i++)
        if (charle_str_equal(schema->tables[i]->name, name))
            return schema->tables[i];
    return NULL;
}

const struct charle_column *charle_table_column(const struct charle_table *table, struct charle_str name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (charle_str_equal(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

const struct charle_column *charle_table_column_numbered(const struct charle_table *table, uint32_t number)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].field->number == number)
            return &table->columns[i];
    return NULL;
}

const char *charle_type_pg_name(enum charle_type type)
{
    switch (type) {
    case CHARLE_TYPE_BOOL:
        return "boolean";
    case CHARLE_TYPE_INT4:
        return "integer";
    case CHARLE_TYPE_INT8:
        return "bigint";
    case CHARLE_TYPE_FLOAT8:
        return "double precision";
    case CHARLE_TYPE_BYTES:
        return "bytea";
    case CHARLE_TYPE_TIMESTAMPTZ:
        return "timestamptz";
    case CHARLE_TYPE_DATE:
        return "date";
    case CHARLE_TYPE_NUMERIC:
        return "numeric";
    case CHARLE_TYPE_UUID:
        return "uuid";
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
        return "text";
    case CHARLE_TYPE_JSONB:
        return "jsonb";
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        return NULL;
    }
    return NULL;
}

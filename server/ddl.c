#include "server/ddl.h"

#include <inttypes.h>

// One kind of statement of all tables: parents first.
static void add_all(const struct charle_schema *schema, struct charle_buf *buf,
                    const char *(*pick)(const struct charle_table *table))
{
    for (size_t i = 0; i < schema->table_count; i++) {
        const char *sql = pick(schema->create_order[i]);
        if (!sql || !*sql)
            continue;
        charle_buf_add_text(buf, sql);
        if (sql[strlen(sql) - 1] != '\n')
            charle_buf_add_text(buf, "\n");
    }
}

static void add_extra(struct charle_buf *buf, const char *sql)
{
    if (sql && *sql) {
        charle_buf_add_text(buf, sql);
        charle_buf_add_text(buf, "\n");
    }
}

#define PICK(member)                                                   \
    static const char *pick_##member(const struct charle_table *table) \
    {                                                                  \
        return table->member;                                          \
    }
PICK(pg_create)
PICK(pg_foreign_keys)
PICK(pg_indexes)
PICK(pg_triggers)
#undef PICK

void ch_ddl_write(const struct charle_schema *schema, struct charle_buf *buf)
{
    charle_buf_printf(buf, "-- schema %.*s %016" PRIx64 "\n", CHARLE_FMT(schema->name), schema->hash);
    add_all(schema, buf, pick_pg_create);
    add_all(schema, buf, pick_pg_foreign_keys);
    add_all(schema, buf, pick_pg_indexes);
    add_all(schema, buf, pick_pg_triggers);
    add_extra(buf, schema->pg_extra);
}

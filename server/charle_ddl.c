// Prints the tables of CharleOS as SQL: for PostgreSQL (what the first migration holds), for SQLite, or for a laptop's
// replica.
#include "charleos.schema.charle.h"
#include "server/ddl.h"

#include <stdio.h>

enum { DDL_SIZE_MAX = 8 << 20 };

static int usage(void)
{
    fprintf(stderr, "Usage: charle_ddl pg|sqlite|replica\n"
                    "  charle_ddl pg > migrations/pg/0001_initial.sql\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {[CH_DDL_PG] = "pg", [CH_DDL_SQLITE] = "sqlite", [CH_DDL_REPLICA] = "replica"};
    if (argc != 2)
        return usage();
    for (int kind = 0; kind <= (int)CH_DDL_REPLICA; kind++) {
        struct charle_buf sql;
        if (strcmp(argv[1], kinds[kind]) != 0)
            continue;
        charle_buf_init(&sql, DDL_SIZE_MAX);
        ch_ddl_write(&charleos_schema_tables, (enum ch_ddl_kind)kind, &sql);
        bool is_written = !sql.failed && fwrite(sql.data, 1, sql.size, stdout) == sql.size && fflush(stdout) == 0;
        charle_buf_deinit(&sql);
        if (!is_written)
            fprintf(stderr, "charle_ddl: the output cannot be written\n");
        return is_written ? 0 : 1;
    }
    return usage();
}

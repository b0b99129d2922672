// The real server with the schema that CHARLE_TEST_SCHEMA names.
#include "schemas.h"
#include "server/app.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static const struct charle_schema *const schemas[] = SCHEMA_LIST;
    const char *name = getenv("CHARLE_TEST_SCHEMA");
    for (size_t i = 0; schemas[i]; i++)
        if (charle_str_equal(schemas[i]->name, charle_str(name))) {
            const struct ch_server_app app = {.name = "serve", .schema = schemas[i]};
            return ch_server_main(&app, argc, argv);
        }
    fprintf(stderr, "CHARLE_TEST_SCHEMA names no schema\n");
    return 2;
}

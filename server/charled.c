// charled: the server of CharleOS.
#include "charleos.schema.charle.h"
#include "server/app.h"

extern const struct ch_migration charleos_migrations[];
extern const size_t charleos_migrations_count;

int main(int argc, char **argv)
{
    const struct ch_server_app app = {.name = "charled",
                                      .schema = &charleos_schema,
                                      .migrations = charleos_migrations,
                                      .migration_count = charleos_migrations_count};
    return ch_server_main(&app, argc, argv);
}

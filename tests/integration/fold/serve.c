// The real server with the schema of this folder.
#include "fold.schema.charle.h"
#include "server/app.h"

int main(int argc, char **argv)
{
    const struct ch_server_app app = {.name = "serve", .schema = &fold_schema};
    return ch_server_main(&app, argc, argv);
}

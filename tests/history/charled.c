// The server of the history tests: charled with their schema.
#include "history.schema.charle.h"
#include "server/app.h"

int main(int argc, char **argv)
{
    static const struct ch_server_app app = {.name = "history_charled", .schema = &history_schema};
    return ch_server_main(&app, argc, argv);
}

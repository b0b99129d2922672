// The workshop's server: all of charled with another schema.
#include "server/app.h"
#include "workshop.schema.charle.h"

int main(int argc, char **argv)
{
    static const struct ch_server_app app = {.name = "workshopd", .schema = &workshop_schema};
    return ch_server_main(&app, argc, argv);
}

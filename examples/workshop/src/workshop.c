// The workshop's command line: all of charle with another schema.
#include "charle/cli.h"
#include "workshop.schema.charle.h"

int main(int argc, char **argv)
{
    static const struct charle_cli_app app = {
        .name = "workshop", .about = "the workshop's repairs and parts, online and offline", .server = "workshopd", .schema = &workshop_schema};
    return charle_cli_main(&app, argc, argv);
}

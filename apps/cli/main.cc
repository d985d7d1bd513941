// The program galago.
#include "program.h"

int main(int argc, char** argv) { return galago::cli::program({argv + 1, argv + argc}); }

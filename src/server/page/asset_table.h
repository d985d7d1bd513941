// The files of the page as the build finds them: cmake/GalagoPage.cmake writes the function.
#pragma once

#include <span>

#include "server/page/page.h"

namespace galago::page {

/// In no order that matters; paths are unique.
std::span<const Asset> asset_table();

}  // namespace galago::page

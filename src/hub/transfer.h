// Several files at a time. In: what to fetch. Out: their blobs in the cache, or the first error, with every
// thread ended.
#pragma once

#include <vector>

#include "hub/download.h"
#include "hub/hub.h"

namespace galago::hub {

/// Fetches them all on `options.workers` threads; options' callbacks are called on this one.
void download_all(const Source& source, const std::vector<RepoFile>& files, const PullOptions& options);

}  // namespace galago::hub

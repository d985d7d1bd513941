// One file from the hub into the cache. In: what the listing says of it. Out: its blob, whole and of the
// right hash, whoever else downloads it at the same time.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "hub/http.h"
#include "hub/listing.h"
#include "hub/store.h"

namespace galago::hub {

struct Source {
  const Settings& settings;
  const Store& store;
  std::string repository;  ///< ORG/NAME
  std::string commit;
};

/// Bytes of a file that are here.
using Counter = std::atomic<int64_t>;

/// Fetches the file unless its blob is there; goes on with what an earlier attempt left. `stopped` is asked
/// often and ends it with Cancelled. Error as pull() has them.
void download(Client& client, const Source& source, const RepoFile& file, Counter& bytes,
              const std::function<bool()>& stopped);

}  // namespace galago::hub

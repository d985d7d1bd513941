// A model whose answers end by their limit alone.
#pragma once

#include <string>

#include "program.h"

namespace galago::test {

/// A tiny model that never says its end token.
class EndlessModel {
 public:
  EndlessModel() {
    directory_.add_copy_of(tiny());
    directory_.add("generation_config.json",
                   replaced(read_bytes(directory_.file("generation_config.json")), "511", "[]"));
  }
  std::string path() const { return directory_.path().string(); }

 private:
  TempDir directory_;
};

}  // namespace galago::test

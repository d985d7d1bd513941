// One golden of transformers against our run, station by station, with the bounds of models/verify.h.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "inspect/verify.h"
#include "kernels/kernels.h"
#include "models/registry.h"
#include "support/devices.h"

namespace galago::test {

struct GoldenCase {
  const char* golden;
  const char* model;
  int stations;  // that the golden holds: a golden that lost a tensor must not pass
  Backend backend;
};

inline void expect_golden(const GoldenCase& test) {
  const std::string data = std::string(GALAGO_TEST_DATA) + "/";
  ModelOptions options;
  options.resizer = pillow_resizer(golden_pillow(data + "goldens/" + test.golden));
  options.device = shared_device(test.backend);
  const auto frontend = load_frontend(data + "models/" + test.model, options);
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const auto engine = frontend->load_engine(checkpoint);
  const auto results = verify(*frontend, *engine, data + "goldens/" + test.golden);
  EXPECT_EQ(static_cast<int>(results.size()), test.stations);
  for (const StationResult& r : results)
    EXPECT_TRUE(r.holds) << r.station << " " << to_string(r.shape) << ": max abs " << r.max_abs
                         << ", max rel " << r.max_rel << ", bound " << r.limit << " " << r.mismatch;
}

}  // namespace galago::test

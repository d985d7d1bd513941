// Records of pages to documents on the disk. In: the records of all pages, in order. Out: files.
#pragma once

#include <memory>

#include "convert/convert.h"

namespace galago::convert {

/// Counts into `summary` what it writes. Both outlive it.
std::unique_ptr<batch::Sink> make_document_sink(const Options& options, const Callbacks& callbacks,
                                                Summary& summary);

}  // namespace galago::convert

// The output of a run, which appears under its name only when it is whole. In: records in their order. Out: a
// file of JSON lines, a tar archive or a folder, on the disk.
#pragma once

#include <memory>

#include "batch/batch.h"
#include "batch/journal.h"

namespace galago::batch {

/// Error{usage} for a name that cannot be an output.
void check_output(const std::filesystem::path& output);
/// Error{usage} for a name that asks for a form that make_sink does not write, .csv or .parquet.
void check_form(const std::filesystem::path& output);

/// The journal of a run. Error{usage} when its output is there and no journal: an earlier run is over.
Journal open_journal(const std::string& manifest, const Options& options);

/// By the name: NAME.tar, NAME/ or a folder that is there, else JSON lines. In an archive or a folder each
/// item has NAME.json, its record, and if it was answered NAME.txt, the answer's text; NAME is the id without
/// a picture's ending, made a name of files. Error{output_io}.
std::unique_ptr<Sink> make_sink(const std::filesystem::path& output);

}  // namespace galago::batch

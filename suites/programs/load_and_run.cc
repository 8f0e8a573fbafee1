// A C++ program as users write it: loads a SavedModel with TensorFlow's headers and libraries, runs it, prints what it answers.
//
//   load_and_run MODEL TAG[,TAG...] INTRA_OP_THREADS TRACE
//
// Standard input has what is fed and fetched, a line each:
//   feed TENSOR SIZE... : VALUE...      (float32)
//   fetch TENSOR
// Standard output gets, of each fetch, `TENSOR DTYPE SIZE... : VALUE...` with values as hexadecimal floats; or `error CODE TEXT`.
// With a TRACE of 1 the last line is `traced NODE...`, the nodes that the run's metadata tells of.

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/protobuf/config.pb.h"
#include "tensorflow/core/public/session.h"
#include "tensorflow/core/public/session_options.h"

namespace {

using Feeds = std::vector<std::pair<std::string, tensorflow::Tensor>>;

tensorflow::Tensor ReadTensor(std::istringstream* line) {
  tensorflow::TensorShape shape;
  std::string word;
  while (*line >> word && word != ":") shape.AddDim(std::stoll(word));
  tensorflow::Tensor tensor(tensorflow::DT_FLOAT, shape);
  for (int64_t at = 0; at < tensor.NumElements(); ++at) {
    *line >> word;
    tensor.flat<float>()(at) = std::stof(word);
  }
  return tensor;
}

double ValueAt(const tensorflow::Tensor& tensor, int64_t at) {
  if (tensor.dtype() == tensorflow::DT_INT64) {
    return static_cast<double>(tensor.flat<int64_t>()(at));
  }
  return tensor.flat<float>()(at);
}

void Print(const std::string& name, const tensorflow::Tensor& tensor) {
  std::cout << name << ' ' << tensorflow::DataTypeString(tensor.dtype());
  for (int at = 0; at < tensor.dims(); ++at) std::cout << ' ' << tensor.dim_size(at);
  std::cout << " :";
  for (int64_t at = 0; at < tensor.NumElements(); ++at) {
    char text[64];
    std::snprintf(text, sizeof(text), " %a", ValueAt(tensor, at));
    std::cout << text;
  }
  std::cout << '\n';
}

template <typename Status>
int Refused(const Status& status) {
  std::cout << "error " << static_cast<int>(status.code()) << ' ' << std::string(status.message())
            << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: load_and_run MODEL TAGS INTRA_OP_THREADS TRACE\n";
    return 2;
  }
  std::unordered_set<std::string> tags;
  std::istringstream named(argv[2]);
  for (std::string tag; std::getline(named, tag, ',');) tags.insert(tag);

  tensorflow::SessionOptions session_options;
  session_options.config.set_intra_op_parallelism_threads(std::stoi(argv[3]));
  session_options.config.set_allow_soft_placement(true);
  tensorflow::RunOptions run_options;
  const bool trace = std::string(argv[4]) == "1";
  if (trace) run_options.set_trace_level(tensorflow::RunOptions::SOFTWARE_TRACE);

  tensorflow::SavedModelBundle bundle;
  const auto loaded =
      tensorflow::LoadSavedModel(session_options, tensorflow::RunOptions(), argv[1], tags, &bundle);
  if (!loaded.ok()) return Refused(loaded);

  Feeds feeds;
  std::vector<std::string> fetches;
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    std::string kind, tensor;
    line >> kind >> tensor;
    if (kind == "feed") feeds.emplace_back(tensor, ReadTensor(&line));
    if (kind == "fetch") fetches.push_back(tensor);
  }
  std::vector<tensorflow::Tensor> outputs;
  tensorflow::RunMetadata metadata;
  const auto ran =
      bundle.GetSession()->Run(run_options, feeds, fetches, {}, &outputs, &metadata);
  if (!ran.ok()) return Refused(ran);
  for (size_t at = 0; at < outputs.size(); ++at) Print(fetches[at], outputs[at]);
  if (trace) {
    std::cout << "traced";
    for (const auto& device : metadata.step_stats().dev_stats()) {
      for (const auto& node : device.node_stats()) std::cout << ' ' << node.node_name();
    }
    std::cout << '\n';
  }
  return 0;
}

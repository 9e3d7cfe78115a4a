// SPDX-License-Identifier: MIT
#include "backend.hpp"

#include "packed_mlp.hpp"

#include <memory>
#include <stdexcept>

#if DIGITS_HAS_ONEDNN
#include "onednn_mlp.hpp"
#endif

namespace digits {

Backend make_packed_backend(const Network& network) {
  auto model = std::make_shared<const PackedMlp>(network);
  return {.description = std::string("packed kernel, ") + vector_instructions(),
          .tolerance = 0.0F,
          .make_predict = [model = std::move(model)]() -> Predict {
            return [model, scratch = PackedMlp::Scratch()](
                       std::span<const Image> images, std::span<Prediction> predictions) mutable {
              model->predict(images, predictions, scratch);
            };
          }};
}

#if DIGITS_HAS_ONEDNN
Backend make_onednn_backend(const Network& network, std::size_t max_batch) {
  auto weights = std::make_shared<const OneDnnWeights>(network);
  // oneDNN may choose another kernel for another shape, so equal bits are not part of its contract.
  return {.description = "oneDNN, " + onednn_version(),
          .tolerance = 1e-3F,
          .make_predict = [weights = std::move(weights), max_batch]() -> Predict {
            // Shared, because oneDNN's objects are handles and std::function wants a copyable
            // target.
            auto model = std::make_shared<OneDnnMlp>(weights, max_batch);
            return [model](std::span<const Image> images, std::span<Prediction> predictions) {
              model->predict(images, predictions);
            };
          }};
}
#else
Backend make_onednn_backend(const Network&, std::size_t) {
  throw std::runtime_error("--backend onednn: this program was built without oneDNN");
}
#endif

}  // namespace digits

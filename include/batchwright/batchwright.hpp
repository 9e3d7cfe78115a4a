// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BATCHWRIGHT_HPP
#define BATCHWRIGHT_BATCHWRIGHT_HPP

// Everything but what is opt-in: batchwright/testing/, batchwright/simulation/,
// batchwright/integration/, batchwright/policies/extra/ and batchwright/timeline.hpp.

#include "admitted.hpp"
#include "batch.hpp"
#include "batch_info.hpp"
#include "class_metrics.hpp"
#include "coalescing.hpp"
#include "completion_task.hpp"
#include "dynamic_batcher.hpp"
#include "errors.hpp"
#include "executor_pool.hpp"
#include "forecast_metrics.hpp"
#include "histogram.hpp"
#include "isolating.hpp"
#include "key_function.hpp"
#include "metrics.hpp"
#include "observer.hpp"
#include "options.hpp"
#include "outcome.hpp"
#include "policies/adaptive.hpp"
#include "policies/any.hpp"
#include "policies/auto.hpp"
#include "policies/greedy.hpp"
#include "policies/hybrid.hpp"
#include "policies/size.hpp"
#include "policies/time.hpp"
#include "policy.hpp"
#include "prediction.hpp"
#include "predictor.hpp"
#include "queue_policy.hpp"
#include "reconfiguration.hpp"
#include "result.hpp"
#include "runtime.hpp"
#include "scheduling.hpp"
#include "shutdown.hpp"
#include "submit_options.hpp"
#include "thread_info.hpp"
#include "ticket.hpp"
#include "time_histogram.hpp"
#include "version.hpp"

#endif  // BATCHWRIGHT_BATCHWRIGHT_HPP

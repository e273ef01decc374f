// 仪器共用部分的文字，以及术语的解释。

export const words = {
  zh: {
    lang: "zh-CN",
    dismiss: "关闭这条消息",
    sideways: "右边还有更多列：请横向滚动。",
    notes: { ask: "我在看什么？", close: "关闭说明" },
    reset: "重置",
    life: {
      saved: "这是保存下来的画面。运行它所在的单元格，它就会恢复工作。",
      restarted: "内核已重新启动，不再认得这个仪器。请再运行一次它所在的单元格。",
      ended: "内核已关闭，这个仪器也随之停止。请启动内核，再运行一次它所在的单元格。",
      lost: "内核已不认得这个仪器。请再运行一次它所在的单元格。",
    },
    tokens: {
      weak: "弱",
      strong: "强",
      share: "属于",
      shareOf: "{character}，{of} 个词元中的第 {at} 个",
    },
    turns: {
      title: "对话的各个轮次",
      roles: { system: "系统", user: "用户", assistant: "助手" },
    },
    charts: {
      id: "编号 {id}",
    },
    histogram: {
      label: "{n} 个{what}的直方图，从 {low} 到 {high}。大多数在 {a} 与 {b} 之间。",
      empty: "{what}的直方图：一个也没有。",
      bin: "{a} 到 {b}：{n} 个{count}",
    },
    picker: {
      search: "按编号、标签或所促进的词元查找特征",
      placeholder: "标签、词元或编号",
      results: "匹配的特征",
      none: "没有匹配的特征。",
      why: "促进 {token}",
    },
    matrix: {
      label: "{name}，{rows} 行 {columns} 列",
      cell: "{name}，第 {row} 行，第 {column} 列：{value}",
    },
  },
};

export const glossary = {
  zh: {
    activation: {
      forms: ["激活值", "激活"],
      means: "特征在某个词元处有多强，以 SAE 单位计。0 表示该特征未激活。",
    },
    ablation: {
      forms: ["消融"],
      means: "把一个特征设为 0，再运行一次模型，以测量它起什么作用。",
    },
    attribution: {
      forms: ["归因"],
      means: "估计消融一个特征会带来多大变化：它的激活值，乘以结果沿该特征方向的梯度。",
    },
    AUROC: {
      means: "ROC 曲线下面积：概念的词元比其他词元激活值更高的频率。0.5 等于随机猜测，1 表示总是如此。",
    },
    bias: { forms: ["偏置"], means: "在 ReLU 之前加上的一个数。负的偏置会隐去较小的值。" },
    clamp: {
      forms: ["钳制"],
      means: "模型运行时，在我们选定的词元处把一个特征设为固定的值。",
    },
    correlation: {
      forms: ["相关系数"],
      means: "两个激活值在各词元上的皮尔逊相关系数 r：1 表示同升同降，0 表示无关，−1 表示此升彼降。",
    },
    cosine: {
      forms: ["余弦相似度", "余弦"],
      means: "两个方向夹角的余弦：1 表示方向相同，0 表示互相垂直，−1 表示方向相反。",
    },
    "dead feature": {
      forms: ["死特征"],
      means: "在所考察的全部词元处都未激活的特征。",
    },
    decoder: {
      forms: ["解码器方向", "解码器"],
      means: "稀疏自编码器的第二层。每个特征有一个解码器方向，按该特征的激活强度加到重建结果上。",
    },
    density: {
      forms: ["密度"],
      means: "特征激活的词元所占的比例（在玩具模型中：输入所占的比例）。",
    },
    encoder: {
      forms: ["编码器方向", "编码器"],
      means: "稀疏自编码器的第一层：由激活向量得到各特征的激活值。",
    },
    feature: {
      forms: ["特征"],
      means:
        "模型用一个方向来表示的、关于输入的某样东西：一个地点、一种语言、一类词。" +
        "稀疏自编码器的特征是它学到的那些方向，各有编号。",
    },
    "feature dimensionality": {
      forms: ["特征维度"],
      means: "一个特征在玩具模型的隐藏维度中所占的份额：独占一维为 1，与另一特征方向相反为 1/2，被舍弃为 0。",
    },
    FVU: {
      forms: ["未解释方差比例", "未解释方差"],
      means: "未解释方差比例。0：重建完美。1：不比总是回答平均值更好。",
    },
    importance: { forms: ["重要性"], means: "一个特征的误差在玩具模型的损失中占多大分量。" },
    interference: {
      forms: ["干扰"],
      means: "两个特征的方向不垂直时，一个特征给另一个特征的读出值所添加的量。",
    },
    kappa: {
      means: "两位评判者超出偶然的一致程度：1 表示总是一致，0 表示与偶然相同。差得越多，扣得越多。",
    },
    KL: {
      forms: ["KL 散度"],
      means: "KL 散度（Kullback–Leibler）：对下一个词元的两种预测相距多远，以奈特（nat）计。0 表示相同。",
    },
    L0: { forms: ["平均激活特征数"], means: "L0：平均每个词元处有多少个特征激活。" },
    logit: {
      means: "模型给下一个词元打的分数（对数几率）。softmax 把分数变成概率：logit 每高 1，词元的几率就乘以 2.7。",
    },
    loss: {
      forms: ["损失"],
      means:
        "训练要减小的量。对语言模型：实际出现的词元的概率取对数再取负，以奈特（nat）计。" +
        "对 SAE 或玩具模型：重建误差，加上惩罚项。",
    },
    "loss recovered": {
      forms: ["损失恢复率"],
      means: "用重建结果代替激活向量时，模型预测得多好。1：与原来一样好。0：与代之以零一样差。",
    },
    nats: {
      forms: ["nat", "奈特"],
      means: "损失与 KL 的单位，来自自然对数。损失每高 1 nat，该词元的概率就小 2.7 倍。",
    },
    perplexity: {
      forms: ["困惑度"],
      means: "以 e 为底、每个词元的平均损失（nat）为指数的幂：模型仿佛在多少个等可能的词元中选择。",
    },
    polytope: {
      forms: ["多胞形"],
      means: "特征作为点所构成的图形：两个相反的点是二角形，平面上三个是三角形，空间中四个是四面体。",
    },
    precision: { forms: ["精确率"], means: "在特征激活的词元中，表达该概念的所占比例。" },
    quantile: { forms: ["分位数"], means: "该特征大于 0 的激活值中，比这一个小的所占比例。" },
    recall: { forms: ["召回率"], means: "在表达该概念的词元中，特征激活的所占比例。" },
    ReLU: { means: "保留大于 0 的部分，其余设为 0。" },
    "residual stream": {
      forms: ["残差流"],
      means: "模型为每个词元逐层保存的向量。每一层都读取它，并向它添加内容。",
    },
    SAE: {
      forms: ["稀疏自编码器"],
      means: "稀疏自编码器：把一个激活向量改写成少数几个激活的特征，再还原回去。",
    },
    "SAE units": {
      forms: ["SAE 单位"],
      means: "编码器给出的特征激活值的单位。只能在同一个 SAE 内部比较。",
    },
    seed: { forms: ["随机种子"], means: "随机数的起点。种子与设置相同，结果就相同。" },
    sensitivity: {
      forms: ["灵敏度", "灵敏"],
      means: "表达该概念的内容中，特征找到了多少：特征激活的情形所占的比例。",
    },
    sparsity: {
      forms: ["稀疏系数", "稀疏性"],
      means: "特征激活得多么少。稀疏系数决定训练为此付出多少代价。",
    },
    specificity: {
      forms: ["特异性"],
      means: "特征激活之处有多少与该概念有关：占其激活的比例。",
    },
    superposition: {
      forms: ["叠加态", "叠加"],
      means: "特征比维度多：它们的方向互相重叠，因此互相干扰。",
    },
    temperature: { forms: ["温度"], means: "采样的温度：0 总是取最可能的词元；温度越高，选择越平均。" },
    TopK: { means: "保留一个词元处最大的 k 个激活值，其余都设为 0。" },
    "usable window": {
      forms: ["可用区间"],
      means: "经测量钳制有效的倍数范围（相对于该特征的最大激活值）：概念会出现，文本仍然通顺。",
    },
  },
};
